"""What runs are seen to read and write: the observer library, compared with strace, and whole runs."""
