/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Parity of the samplers room.
 */
#include "tests/parity/parity.h"

const ParityFamily parity_samplers[] = {
  { NULL },
};
