/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the environment says about the Hub, by huggingface_hub's names, for easel-cli and the desktop program:
 *   HF_ENDPOINT  HF_HOME  HF_HUB_CACHE (HUGGINGFACE_HUB_CACHE)  XDG_CACHE_HOME  HF_TOKEN (HUGGING_FACE_HUB_TOKEN)
 *   HF_TOKEN_PATH  HF_HUB_OFFLINE (TRANSFORMERS_OFFLINE)  HF_HUB_DISABLE_SYMLINKS
 *   https_proxy, http_proxy, all_proxy, no_proxy (either case)  SSL_CERT_FILE
 */
#pragma once

#include "engine/hub/hub.h"

G_BEGIN_DECLS

/* The folder of huggingface_hub's cache. Caller frees. */
char *hub_environment_cache_dir (void);
/* The file of an existing `hf auth login`. Caller frees. */
char *hub_environment_login_path (void);
/* Settings with all of the above but the login, which is read only when the person agrees, and the keyring, whose
 * tokens belong to one endpoint each: to be asked once the endpoint is settled. */
EaselHubSettings *hub_environment_settings (void);

G_END_DECLS
