"""The runtime ``local``: workloads as supervised child processes of this machine, each behind an HTTP front of its own.

Runs the first container of a Score workload from the files of its release. What is released, where and why is decided
by the platform; starting processes is done by the process host that it hands in.
"""
