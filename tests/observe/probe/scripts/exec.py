import os

os.execvpe("cat", ["cat", "in"], {"PATH": "/bin"})
