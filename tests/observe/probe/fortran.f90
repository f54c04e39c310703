! Formatted and unformatted files, appending, inquiring and deleting, as Fortran's run-time library does them.
program probe
  implicit none
  character(len=64) :: line
  logical :: there
  real :: values(4) = [1.0, 2.0, 3.0, 4.0]
  open (10, file='in', status='old', action='read')
  read (10, '(a)') line
  close (10)
  open (11, file='out', status='replace')
  write (11, '(a)') trim(line)
  close (11)
  open (12, file='unformatted', form='unformatted', access='stream')
  write (12) values
  close (12)
  open (13, file='old', position='append', status='old')
  write (13, *) 'more'
  close (13)
  inquire (file='in2', exist=there)
  open (14, file='old2', status='old')
  close (14, status='delete')
  call execute_command_line('cat in > shell')
end program probe
