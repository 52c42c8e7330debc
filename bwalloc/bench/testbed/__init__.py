"""The testbed: an environment as real packets between network namespaces, allocators in the loop.

- `needs` probes what the kernel allows; `spaces` makes namespaces and takes them away by name.
- `folding` puts sites into few namespaces, `wiring` joins them: a veth pair per link, a pair of
  addresses per tunnel.
- `work` is a drawn world as chunks of bytes; `endpoint` is the process of a namespace that sends
  and receives it, `crew` the controller's end of all of them.
- `run` plays one allocator, `telemetry` is what it sees, `books` makes money of what was served by
  the environment's own law.
- `testbed` runs allocators and repetitions beside the simulator, `verdict` says what agrees.
"""
