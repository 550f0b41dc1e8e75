// A writer against a reader that never reads, while another pair plays on.

#pragma once

void run_stalled(void);
