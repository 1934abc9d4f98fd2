"""Threads that prepare batches beside the network; each computes alone."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch
from threadpoolctl import ThreadpoolController


def workers(count: int) -> ThreadPoolExecutor:
    """`count` threads in each of which PyTorch computes without threads of its own.

    OpenMP counts the threads of all teams. Where they are more than the cores, those of a team soon sleep where they
    wait for one another (https://gcc.gnu.org/onlinedocs/libgomp/GOMP_005fSPINCOUNT.html): the network beside is slower.
    """
    _libraries()  # of this thread, before several ask at once
    return ThreadPoolExecutor(count, thread_name_prefix="prepare", initializer=_compute_alone)


def _compute_alone() -> None:
    torch.get_num_threads()  # PyTorch sets a thread's number when it first asks for it, which would undo what follows
    _libraries().limit(limits=1, user_api="openmp")  # in OpenMP a number is a thread's own


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()
