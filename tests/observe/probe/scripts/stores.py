import zarr

array = zarr.create_array("a.zarr", shape=(8,), chunks=(2,), dtype="f4")
array[:] = 1
print(zarr.open_array("a.zarr", mode="r")[:].sum())
