# Files as Perl opens, copies, renames and removes them.
use strict;
use File::Copy;
open(my $in, '<', 'in') or die;
my @lines = <$in>;
close $in;
open(my $out, '>', 'out') or die;
print $out @lines;
close $out;
rename 'old', 'new';
unlink 'old2';
copy('in2', 'out2');
system('cat dir/in > out3');
my $text = `cat in2`;
opendir(my $here, '.');
my @names = readdir($here);
