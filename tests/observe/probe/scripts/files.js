// Files as Node opens, copies, renames and removes them, at once and through its threads.
const fs = require('fs'), child = require('child_process');
fs.writeFileSync('out', fs.readFileSync('in'));
fs.appendFileSync('old', 'x');
fs.copyFileSync('in2', 'out2');
fs.renameSync('old2', 'new');
fs.writeFileSync('x', 'x');
fs.unlinkSync('x');
child.execSync('cat dir/in > out3');
fs.readFile('in2', () => fs.createReadStream('in').pipe(fs.createWriteStream('out4')));
