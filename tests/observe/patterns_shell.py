"""What shells and the usual tools do with files. See pattern.py."""

from __future__ import annotations

from .pattern import Pattern, bash, sh

PATCH = "--- old\n+++ old\n@@ -1,3 +1,3 @@\n 1\n-2\n+two\n 3\n"

SHELLS = (
    Pattern(
        "dash redirections",
        sh("cat < in > out; echo x >> old; { read a; echo $a; } < in2 > out2"),
        "in in2",
        "out old out2",
    ),
    Pattern("dash descriptors", sh("exec 3< in 4> out; cat <&3 >&4; exec 3<&-; echo x >&4"), "in", "out"),
    Pattern(
        "dash subshell", sh("(cd dir && cat in > out); cat in > out; x=$(cat in2)"), "dir/in in in2", "dir/out out"
    ),
    Pattern("dash read and write", sh("cat <> old > out; : > in"), "old", "old out in"),
    Pattern("dash exec", sh("echo x > out; exec cat in"), "in", "out"),
    Pattern(
        "dash standard streams by name",
        sh("cat /dev/stdin < in > /proc/self/fd/1; cat /dev/fd/3 3< in2 > out"),
        "in in2",
        "out",
    ),
    Pattern("dash script", ("./script",), "script in"),
    Pattern("dash background", sh("cat in > out & cat in2 > out2; wait"), "in in2", "out out2"),
    Pattern(
        "bash redirections",
        bash("cat < in > out; echo x >> old; cat in2 &> out2; echo x >| in"),
        "in in2",
        "out old out2 in",
    ),
    Pattern("bash here document", bash("cat > out <<END\n$(cat in)\nEND\ncat >> out <<< $(< in2)"), "in in2", "out"),
    Pattern(
        "bash process substitution",
        bash("paste <(cat in) <(cat in2) > out; cat in > >(cat > out2); wait; sleep 0.1"),
        "in in2",
        "out out2",
    ),
    Pattern(
        "bash source and mapfile", bash("echo x=1 > out; . ./out; mapfile -t y < in; echo $x ${#y[@]}"), "out in", "out"
    ),
    Pattern("bash coproc", bash("coproc { cat in; }; cat <&${COPROC[0]} > out; wait"), "in", "out"),
    Pattern(
        "bash clears the environment", bash("env -i /bin/cat in > out; unset LD_PRELOAD; cat in2"), "in in2", "out"
    ),
)

TOOLS = (
    Pattern("cp", sh("cp in out; cp -r dir copy; cp in old"), "in dir/in", "out copy/in old"),
    Pattern(
        "cp --link",
        sh("cp -l in hard; cp -s $PWD/in soft; ln in2 hard2; ln -s in2 soft2"),
        linked="in>hard >soft in2>hard2 >soft2",
    ),
    Pattern("mv", sh("mv in new; mv in2 dir; mv -f old old2"), renamed="in>new in2>dir/in2 old>old2"),
    Pattern(
        "mv to another file system",
        sh("mv in /dev/shm/hpcprov-test-$$ && mv /dev/shm/hpcprov-test-$$ back"),
        "in",
        "back",
        removed="in",
    ),
    Pattern("rm", sh("rm in; rm -r dir"), removed="in dir dir/in dir/deep"),
    Pattern("touch and truncate", sh("touch fresh; truncate -s 100 in; shred -n1 -s8 in2"), "", "fresh in in2"),
    Pattern("install", sh("install -m 600 in out; install -D in2 a/b"), "in in2", "out a/b"),
    Pattern("dd", sh("dd if=in of=out bs=2 status=none; dd if=in of=old conv=notrunc status=none"), "in", "out old"),
    Pattern("tee", sh("cat in | tee out out2 | tee -a old"), "in", "out out2 old"),
    Pattern("sort", sh("sort -r -o in in; sort in2 > out; sort -m in old -o old"), "in in2 old", "in out old"),
    Pattern("sed -i", sh("sed -i s/1/one/ in; sed -n 's/2/two/w out' in2"), "in in2", "out"),
    Pattern(
        "split",
        sh("split -l 1 in part-; csplit -s -f x in2 2; cat part-* > out"),
        "in in2",
        "part-aa part-ab part-ac x00 x01 out",
    ),
    Pattern(
        "text tools",
        sh("head -1 in; tail -1 in2; cut -c1 old; paste in old2; join in in2; comm in in2; uniq in; od in; tac in"),
        "in in2 old old2",
    ),
    Pattern("diff", sh("diff in in2; cmp in old; sha256sum old2; base64 dir/in; test -s in"), "in in2 old old2 dir/in"),
    Pattern("grep", sh("grep -r 2 dir; grep -c 1 in in2; grep -f in old"), "dir/in in in2 old"),
    Pattern(
        "awk",
        sh("""awk '{print > "out"; print | "cat > out2"} END {while ((getline x < "in2") > 0) print x}' in"""),
        "in in2",
        "out out2",
    ),
    Pattern(
        "find -exec",
        sh("find . -name in -exec cp {} {}.copy ';'; find dir -name in -delete"),
        "in dir/in",
        "in.copy dir/in.copy",
        removed="dir/in",
    ),
    Pattern("xargs", sh("ls in in2 old | xargs -P 3 -I X cp X X.copy"), "in in2 old", "in.copy in2.copy old.copy"),
    Pattern(
        "tar",
        sh("tar cf a.tar in dir; mkdir x; tar xf a.tar -C x; tar czf b.tgz in2; tar tzf b.tgz"),
        "in dir/in in2 a.tar b.tgz",
        "a.tar x/in x/dir/in",
    ),
    Pattern(
        "gzip",
        sh("gzip in; gzip -dk in.gz; gzip -c in2 > out; zcat out"),
        "in in.gz in2 out",
        "in.gz in out",
        removed="in",
    ),
    Pattern("bzip2 and xz", sh("bzip2 in; bunzip2 in.bz2; xz -k in2"), "in in.bz2 in2", "in.bz2 in in2.xz", needs="xz"),
    Pattern("patch", sh(f"printf '%s' '{PATCH}' | patch -s old"), "old"),
    Pattern(
        "make",
        sh("printf 'out: in\\n\\tcat in > out\\n' > Makefile; make -s; make -s -j2 out"),
        "Makefile in",
        "out Makefile",
    ),
    Pattern("gcc", sh("echo 'int main(void){return 0;}' > a.c; gcc -c a.c; gcc -o a a.o; ./a"), "a.c a.o", "a.c a.o a"),
    Pattern(
        "git",
        sh("git init -q r; cp in r; cd r; git add in; git -c user.name=x -c user.email=x commit -qm x; git show :in"),
        "in r/in r/.git/index",
        "r/in",
    ),
    Pattern("wrappers", sh("nohup timeout 9 nice -n 1 setsid -w env -u X stdbuf -o0 cat in > out 2>&1"), "in", "out"),
    Pattern("flock", sh("flock lock cat in > out; flock -x 3 3> lock2"), "in", "out lock2"),
    Pattern(
        "sqlite3",
        sh("sqlite3 a.db 'create table t(x); insert into t values(1);'; sqlite3 a.db 'select * from t'"),
        "a.db",
        "a.db",
        needs="sqlite3",
    ),
    Pattern("rsync", sh("rsync -a in dir out/"), "in dir/in", needs="rsync"),
    Pattern("zip", sh("zip -q a.zip in in2; unzip -qo a.zip -d x"), "in in2 a.zip", "x/in x/in2", needs="zip"),
    Pattern("ed", sh("printf '1d\\nw out\\nq\\n' | ed -s in"), "in", "out", needs="ed"),
    Pattern(
        "names with odd bytes", sh("printf x > 'new\nline'; cp 'new\nline' \"$(printf 'a\\377b')\"; cat ./*line"), ""
    ),
)
