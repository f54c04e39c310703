import mmap

with open("old", "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
    memory[0:1] = b"x"
    memory.flush()
