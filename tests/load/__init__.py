"""The load workloads: what ours costs, beside small peers on other libraries, in the same run.

``python -m tests.load NAME --json [--quick]`` starts the database, the servers and the load client
by itself. Promises: every run is bounded in count and time; the servers stand on one core, the
client on another; candidates take turns; figures to compare come from one run. Refuses: to fail
because something was slow (these are measurements, not tests), and to leave 127.0.0.1.
"""
