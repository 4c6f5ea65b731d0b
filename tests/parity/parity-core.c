/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Parity of the core room.
 */
#include "tests/parity/parity.h"

const ParityFamily parity_core[] = {
  { NULL },
};
