"""Heat in a plate: each rank has a band of rows, and writes them as its own chunk of a Zarr array.

    srun -n 4 --mpi=pmi2 python heat.py --steps 200 --output heat.zarr

With --checkpoint FILE the state is saved every 50 steps, and a start that finds the file goes on from there (one rank).
"""

import argparse
import os
import time

import numpy
import zarr

ROWS, COLUMNS = 64, 64


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--warmth", type=float, default=100.0, help="degrees at the upper edge")
    parser.add_argument("--start", help="a Zarr array to start from")
    parser.add_argument("--output", default="heat.zarr")
    parser.add_argument("--checkpoint", metavar="FILE.npz")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds of rest in each step")
    return parser.parse_args()


def world():
    """The MPI world, or None: a single process needs no mpi4py."""
    if not {"PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK"} & os.environ.keys():
        return None
    from mpi4py import MPI

    return MPI.COMM_WORLD


def step(plate, comm, rank, size, warmth):
    """One step of Jacobi's method; the first and the last row are copies of the neighbours' edges."""
    if comm is not None:
        comm.Sendrecv(plate[1], dest=(rank - 1) % size, recvbuf=plate[-1], source=(rank + 1) % size)
        comm.Sendrecv(plate[-2], dest=(rank + 1) % size, recvbuf=plate[0], source=(rank - 1) % size)
    if rank == 0:
        plate[0] = warmth
    if rank == size - 1:
        plate[-1] = 0.0
    inside = (plate[:-2, 1:-1] + plate[2:, 1:-1] + plate[1:-1, :-2] + plate[1:-1, 2:]) / 4
    plate[1:-1, 1:-1] = inside


def main():
    args = arguments()
    comm = world()
    rank, size = (comm.rank, comm.size) if comm is not None else (0, 1)
    rows = ROWS // size
    plate, first = numpy.zeros((rows + 2, COLUMNS)), 0
    if args.start:
        plate[1:-1] = zarr.open_array(args.start, mode="r")[rank * rows : (rank + 1) * rows]
    if args.checkpoint and os.path.exists(args.checkpoint):
        with numpy.load(args.checkpoint) as saved:
            plate[:], first = saved["plate"], int(saved["step"])
        print(f"going on from step {first}", flush=True)
    for number in range(first, args.steps):
        step(plate, comm, rank, size, args.warmth)
        if args.checkpoint and number % 50 == 49:
            numpy.savez("draft.npz", plate=plate, step=number + 1)
            os.replace("draft.npz", args.checkpoint)
        time.sleep(args.pause)
    if rank == 0:
        zarr.create_array(args.output, shape=(rows * size, COLUMNS), chunks=(rows, COLUMNS), dtype="f8", overwrite=True)
    if comm is not None:
        comm.Barrier()
    zarr.open_array(args.output, mode="r+")[rank * rows : (rank + 1) * rows] = plate[1:-1]


main()
