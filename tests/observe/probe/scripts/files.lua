-- Files as Lua opens, reads, writes, renames and removes them.
local file = io.open('in')
local text = file:read('a')
file:close()
file = io.open('out', 'w')
file:write(text)
file:close()
os.rename('old', 'new')
os.remove('old2')
os.execute('cat in2 > out2')
for line in io.lines('in2') do end
