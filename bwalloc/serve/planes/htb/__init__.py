"""Linux HTB: one shaped interface per link, one class per demand and tunnel that crosses it.

- `layout` says which classes there are, `table` what each gets, `order` in which order that may
  change; `commands` writes it for `tc`, `tc` runs it, `dump` reads it back.
- `ports` tells sound interfaces from damaged and foreign ones; `counters` makes telemetry of what
  was counted; `lock` keeps other writers out.
- `plane` is all of that as a plane.
"""
