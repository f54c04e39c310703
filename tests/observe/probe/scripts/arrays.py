import h5py
import numpy

array = numpy.loadtxt("in")
numpy.save("a.npy", array)
numpy.savez("a.npz", array=array)
numpy.memmap("m", mode="w+", shape=4)
array.tofile("t")
with h5py.File("a.h5", "w") as file:
    file["a"] = numpy.load("a.npy", mmap_mode="r")
with h5py.File("a.h5", "r+") as file:
    file["a"][0] = 1
with h5py.File("a.h5") as file:
    print(file["a"][:])
