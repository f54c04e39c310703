// Files as Rust's standard library opens, copies, renames and removes them.
use std::{fs, io::Write, process::Command};

fn main() -> std::io::Result<()> {
    fs::write("out", fs::read("in")?)?;
    fs::OpenOptions::new().append(true).open("old")?.write_all(b"more")?;
    fs::copy("in2", "copy")?;
    fs::rename("old2", "new")?;
    fs::remove_file("dir/in")?;
    fs::remove_dir_all("dir")?;
    Command::new("cat").arg("in2").current_dir(".").status()?;
    Ok(())
}
