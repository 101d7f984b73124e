import multiprocessing

import spawned

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(2, maxtasksperchild=1) as pool:
        print(min(pool.map(spawned.child, range(2), chunksize=1)))
