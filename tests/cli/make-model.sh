#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# make-model.sh FOLDER: lays out a tiny Sana model as it would lie on the Hub, from the random weights of
# tests/reference/models. Its pictures are noise; everything else about them is real.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
models=$here/reference/models
out=$1
mkdir -p "$out/scheduler"
cp -r "$models/sana-v1-tiny" "$out/transformer"
cp -r "$models/dcae-tiny" "$out/vae"
cp -r "$models/gemma2-tiny" "$out/text_encoder"
cp -r "$models/gemma-tokenizer" "$out/tokenizer"
chmod -R u+w "$out"
cat > "$out/model_index.json" <<'JSON'
{
  "_class_name": "SanaPipeline",
  "_diffusers_version": "0.40.0",
  "scheduler": ["diffusers", "DPMSolverMultistepScheduler"],
  "text_encoder": ["transformers", "Gemma2Model"],
  "tokenizer": ["transformers", "GemmaTokenizerFast"],
  "transformer": ["diffusers", "SanaTransformer2DModel"],
  "vae": ["diffusers", "AutoencoderDC"]
}
JSON
cat > "$out/scheduler/scheduler_config.json" <<'JSON'
{
  "_class_name": "DPMSolverMultistepScheduler",
  "algorithm_type": "dpmsolver++",
  "beta_end": 0.02,
  "beta_schedule": "linear",
  "beta_start": 0.0001,
  "final_sigmas_type": "zero",
  "flow_shift": 3.0,
  "lambda_min_clipped": -Infinity,
  "lower_order_final": true,
  "num_train_timesteps": 1000,
  "prediction_type": "flow_prediction",
  "solver_order": 2,
  "solver_type": "midpoint",
  "timestep_spacing": "linspace",
  "use_flow_sigmas": true
}
JSON
cat > "$out/README.md" <<'TEXT'
---
license: cc0-1.0
---
Random weights, for tests.
TEXT
