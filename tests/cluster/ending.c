/* An MPI program of which one rank ends badly: `ending HOW FILE`. All ranks meet first, and rank 0 has written FILE by then.
 *
 *     abort  rank 1 calls MPI_Abort(5)      exit  rank 1 ends with status 3, without MPI_Finalize      segv  rank 1 is killed by SIGSEGV
 */
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

int main(int argc, char **argv) {
    int rank, size;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (argc != 3 || size < 2) return 64;
    FILE *file = rank == 0 ? fopen(argv[2], "w") : NULL;
    if (file) fprintf(file, "made by %d ranks\n", size), fclose(file);
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 1) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        if (!strcmp(argv[1], "abort")) MPI_Abort(MPI_COMM_WORLD, 5);
        if (!strcmp(argv[1], "exit")) _exit(3);
        if (!strcmp(argv[1], "segv")) raise(SIGSEGV);
    }
    MPI_Barrier(MPI_COMM_WORLD); /* which never ends */
    MPI_Finalize();
    return 0;
}
