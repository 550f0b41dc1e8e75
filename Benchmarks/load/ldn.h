// LDN: what players say to each other in networks of eight, scans, and silent sessions.

#pragma once

void run_ldn_fanout(void);
void run_ldn_crowd(void);
void run_ldn_scan(void);
void run_ldn_idle(void);
