import multiprocessing
import shutil

with multiprocessing.get_context("fork").Pool(2) as pool:
    pool.starmap(shutil.copyfile, [("in", "a"), ("in2", "b"), ("old", "c")])
    pool.close()
    pool.join()
