#!/usr/bin/env python3
"""Rain over real terrain: where does the water stand?

A local-inertial shallow-water model (Bates, Horritt and Fewtrell 2010, J. Hydrol. 387, eq. 11) on a digital elevation
model, in parallel over blocks of rows with mpi4py. Writes `depth(time, y, x)` to a Zarr store from all ranks and the
final fields to an HDF5 file. The result does not depend on the number of ranks, bit for bit: the stencil has no sums
over ranks and the only reduction is a maximum.

example: mpiexec -n 4 python flood.py --terrain jacksboro_fault_dem.npz --out out --hours 2
"""

from __future__ import annotations

import argparse
import os

import h5py
import numpy as np
import zarr
from mpi4py import MPI

GRAVITY = 9.81  # m s-2
MANNING = 0.05  # s m-1/3, rough hillslope
THIN = 1e-4  # m; a thinner film does not flow
METRES_PER_DEGREE = 111_320.0
CHUNK_ROWS = 43  # the terrain's 344 rows are eight of these; ranks own whole chunks, so none writes into another's


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--terrain", required=True, help="an .npz with `elevation`, `dx`, `dy`, `ymin`, `ymax`")
    parser.add_argument("--out", default="out", help="directory of the results")
    parser.add_argument("--rain", type=float, default=40.0, help="mm per hour, in the first hour")
    parser.add_argument("--hours", type=float, default=2.0, help="simulated time, hours")
    parser.add_argument("--frames", type=int, default=5, help="time steps that are kept")
    return parser.parse_args()


def read_terrain(path: str) -> tuple[np.ndarray, float, float]:
    """Elevation in metres (y, x) as float64 and the spacing in metres."""
    with np.load(path) as data:
        elevation = data["elevation"].astype("f8")
        latitude = np.deg2rad((float(data["ymin"]) + float(data["ymax"])) / 2)
        return (
            elevation,
            float(data["dx"]) * METRES_PER_DEGREE * float(np.cos(latitude)),
            float(data["dy"]) * METRES_PER_DEGREE,
        )


def own_rows(rows: int, comm: MPI.Comm) -> slice:
    """The block of rows of this rank, cut at chunk boundaries; empty where there are more ranks than chunks."""
    chunks = -(-rows // CHUNK_ROWS)
    first, last = (chunks * (comm.rank + i) // comm.size * CHUNK_ROWS for i in (0, 1))
    return slice(min(first, rows), min(last, rows))


class Neighbours:
    """Exchange of one halo row with the ranks that own the rows above and below."""

    def __init__(self, comm: MPI.Comm, block: slice) -> None:
        owners = [r for r, b in enumerate(comm.allgather((block.start, block.stop))) if b[0] < b[1]]
        at = owners.index(comm.rank) if comm.rank in owners else None
        self.comm = comm
        self.above = owners[at - 1] if at else MPI.PROC_NULL
        self.below = owners[at + 1] if at is not None and at + 1 < len(owners) else MPI.PROC_NULL

    def fill(self, field: np.ndarray) -> None:
        """Rows 0 and -1 of `field` are halos; at the edge of the terrain they stay as they are."""
        self.comm.Sendrecv(field[1].copy(), self.above, 0, below := field[-1].copy(), self.below, 0)
        self.comm.Sendrecv(field[-2].copy(), self.below, 1, above := field[0].copy(), self.above, 1)
        field[-1], field[0] = below, above


def flow(q: np.ndarray, depth: np.ndarray, bed: np.ndarray, spacing: float, dt: float, axis: int) -> np.ndarray:
    """New unit discharge (m2 s-1) across the faces between neighbouring cells along `axis`."""
    low, high = ((slice(None, -1), slice(1, None))[i] for i in (0, 1))
    a, b = ((low, slice(None)), (high, slice(None))) if axis == 0 else ((slice(None), low), (slice(None), high))
    level = bed + depth
    through = np.maximum(np.maximum(level[a], level[b]) - np.maximum(bed[a], bed[b]), 0.0)
    wet = through > THIN
    safe = np.where(wet, through, 1.0)
    slope = (level[b] - level[a]) / spacing
    new = (q - GRAVITY * safe * dt * slope) / (1.0 + GRAVITY * dt * MANNING**2 * np.abs(q) / safe ** (7.0 / 3.0))
    # No face may carry off more in one step than its upstream cell holds, a quarter through each side.
    limit = np.where(new > 0, depth[a], depth[b]) * spacing / (4.0 * dt)
    return np.where(wet, np.clip(new, -limit, limit), 0.0)


def create_outputs(out: str, shape: tuple[int, int], times: np.ndarray) -> None:
    os.makedirs(out, exist_ok=True)
    store = zarr.create_group(
        os.path.join(out, "flood.zarr"),
        overwrite=True,
        attributes={"Conventions": "CF-1.11", "title": "Rain over terrain"},
    )
    chunks = (1, CHUNK_ROWS, shape[1])
    kept = {
        "depth": ((len(times), *shape), chunks, ("time", "y", "x")),
        "elevation": (shape, chunks[1:], ("y", "x")),
        "max_depth": (shape, chunks[1:], ("y", "x")),
    }
    for name, (extent, chunk, dims) in kept.items():
        store.create_array(
            name, shape=extent, chunks=chunk, dtype="f8", dimension_names=dims, attributes={"units": "m"}
        )
    time = store.create_array(
        "time", shape=times.shape, chunks=times.shape, dtype="f8", dimension_names=("time",), attributes={"units": "s"}
    )
    time[:] = times


def main() -> None:
    args, comm = arguments(), MPI.COMM_WORLD
    elevation, dx, dy = read_terrain(args.terrain)
    rows, cols = elevation.shape
    block = own_rows(rows, comm)
    times = np.linspace(0.0, args.hours * 3600.0, args.frames)
    if comm.rank == 0:
        create_outputs(args.out, elevation.shape, times)
    comm.Barrier()
    store = zarr.open_group(os.path.join(args.out, "flood.zarr"), mode="r+")

    owned = block.stop - block.start
    bed = np.full((owned + 2, cols), np.inf)  # the halos at the terrain's edge are walls
    bed[1:-1] = elevation[block]
    neighbours = Neighbours(comm, block)
    if owned:
        neighbours.fill(bed)
    bed[[0, -1]] = np.where(np.isinf(bed[[0, -1]]), 1e4, bed[[0, -1]])
    depth, deepest = np.zeros_like(bed), np.zeros_like(bed)
    qx, qy = np.zeros((owned + 2, cols - 1)), np.zeros((owned + 1, cols))

    now, rain = 0.0, args.rain / 1000.0 / 3600.0
    for frame, until in enumerate(times):
        while now < until:
            highest = comm.allreduce(float(depth[1:-1].max()) if owned else 0.0, MPI.MAX)
            dt = min(0.7 * min(dx, dy) / np.sqrt(GRAVITY * max(highest, 0.01)), 20.0, until - now)
            if owned:
                neighbours.fill(depth)
                qx, qy = flow(qx, depth, bed, dx, dt, 1), flow(qy, depth, bed, dy, dt, 0)
                depth[1:-1, 1:] += qx[1:-1] * dt / dx
                depth[1:-1, :-1] -= qx[1:-1] * dt / dx
                depth[1:-1] += (qy[:-1] - qy[1:]) * dt / dy
                depth[1:-1] = np.maximum(depth[1:-1], 0.0) + (rain * dt if now < 3600.0 else 0.0)
                np.maximum(deepest, depth, out=deepest)
            now += dt
        if owned:
            store["depth"][frame, block] = depth[1:-1]
        if comm.rank == 0:
            print(f"t = {now / 3600:4.2f} h", flush=True)
    if owned:
        store["elevation"][block], store["max_depth"][block] = elevation[block], deepest[1:-1]

    parts = comm.gather((depth[1:-1], deepest[1:-1]), root=0)
    if parts is not None:
        with h5py.File(os.path.join(args.out, "flood.h5"), "w") as file:
            for name, values in zip(("depth", "max_depth"), zip(*parts, strict=True), strict=True):
                data = file.create_dataset(
                    name, data=np.concatenate(values), chunks=(86, 101), compression="gzip", shuffle=True
                )
                data.attrs["units"] = "m"
            print(f"deepest water: {file['max_depth'][...].max():.2f} m on {comm.size} ranks", flush=True)


if __name__ == "__main__":
    main()
