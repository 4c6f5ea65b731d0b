/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * SanaPipeline and SanaSprintPipeline: words to a picture. Reference: diffusers pipelines/sana/pipeline_sana.py and
 * pipeline_sana_sprint.py.
 */
#pragma once

#include "engine/core/pipeline.h"

G_BEGIN_DECLS

extern const EaselPipelineClass easel_sana_pipeline_class, easel_sana_sprint_pipeline_class;

G_END_DECLS
