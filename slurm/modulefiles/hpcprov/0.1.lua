-- Lmod: hpcprov, and an srun that puts it in front of every step.
whatis("Provenance for high-performance computing: records what made every array that a job writes")
help([[After `module load hpcprov` each step that is started by srun leaves a record in .hpcprov: `hpcprov runs`.
HPCPROV=off runs as if the module were not loaded.]])
local root = os.getenv("HPCPROV_ROOT") or "/opt/hpcprov"
-- Not its bin: that has a Python, which would stand before the user's.
prepend_path("PATH", pathJoin(root, "slurm/bin"))
