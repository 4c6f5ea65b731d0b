/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A step as one graph: recorded from the stream, replayed with one call. What a recording cannot hold (copies through
 * pinned memory that is used again) makes it end without a graph; the caller then issues its work as usual.
 */
#include "cuda-device.h"

#include <stdlib.h>

typedef struct
{
  EaselGraph base;
  cudaGraphExec_t exec;
} Graph;

EaselStatus
easel_cuda_graph_begin (EaselStream *s)
{
  EaselCudaStream *self = easel_cuda (s);
  cudaError_t error = cudaStreamBeginCapture (self->stream, cudaStreamCaptureModeThreadLocal);

  self->recording = error == cudaSuccess;
  self->unrecordable = false;
  if (error != cudaSuccess)
    (void) cudaGetLastError ();
  return easel_cuda_status (error);
}

EaselStatus
easel_cuda_graph_end (EaselStream *s, EaselGraph **out)
{
  EaselCudaStream *self = easel_cuda (s);
  cudaGraph_t recorded = NULL;
  Graph *graph = calloc (1, sizeof *graph);
  size_t nodes = 0;
  cudaError_t error = cudaStreamEndCapture (self->stream, &recorded);

  self->recording = false;
  if (error == cudaSuccess && recorded && graph && !self->unrecordable)
    {
      error = cudaGraphGetNodes (recorded, NULL, &nodes);
      if (error == cudaSuccess)
        error = cudaGraphInstantiate (&graph->exec, recorded, 0);
    }
  if (recorded)
    cudaGraphDestroy (recorded);
  if (error != cudaSuccess || !graph || !graph->exec)
    {
      (void) cudaGetLastError ();
      free (graph);
      return error != cudaSuccess ? easel_cuda_status (error) : EASEL_STATUS_UNSUPPORTED;
    }
  graph->base.nodes = nodes;
  *out = &graph->base;
  return EASEL_STATUS_OK;
}

void
easel_cuda_graph_replay (EaselStream *s, EaselGraph *graph)
{
  easel_cuda_check (s, cudaGraphLaunch (((Graph *) graph)->exec, easel_cuda (s)->stream), "a recorded step", NULL);
}

void
easel_cuda_graph_free (EaselStream *s, EaselGraph *graph)
{
  Graph *self = (Graph *) graph;

  cudaStreamSynchronize (easel_cuda (s)->stream);
  cudaGraphExecDestroy (self->exec);
  (void) cudaGetLastError ();
  free (self);
}
