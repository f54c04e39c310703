# Files as Tcl opens, copies, renames and removes them.
set file [open in]
set text [read $file]
close $file
set file [open out w]
puts $file $text
close $file
file copy in2 out2
file rename old new
exec cat in2 > out3
file delete old2
