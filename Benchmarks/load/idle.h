// Pairs that have exchanged their headers and are silent.

#pragma once

void run_idle(void);
