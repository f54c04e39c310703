"""The observer library: what it sees of what programs do to files, compared with strace."""
