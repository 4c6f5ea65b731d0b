/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Parity of the sana room.
 */
#include "tests/parity/parity.h"

const ParityFamily parity_sana[] = {
  { NULL },
};
