"""Is one publisher's case slower while another floods? A real gateway, a simulated core, and load from processes of their own.

__main__   the command line, and what it prints
scenes     the two scenarios
stage      the processes: gateway, core, null server
flood      publisher A: a process that sends at a fixed rate, whatever the answers
probe      publishers B and C: urgent cases, and the inbox that they come to, by one clock
wire       HTTP by hand, cheap enough not to be what is measured
"""
