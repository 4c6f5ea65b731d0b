/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See sentencepiece-shim.h. The one C++ file of the house.
 */
#include "engine/text/sentencepiece-shim.h"

#include <sentencepiece_processor.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <new>

struct EaselSpm
{
  sentencepiece::SentencePieceProcessor processor;
};

namespace
{

/* Runs `body`, which gives a sentencepiece Status, and keeps every exception inside. */
template <typename Body>
EaselSpmStatus
guarded (char *message, size_t message_size, Body body) noexcept
{
  try
    {
      const auto status = body ();

      if (status.ok ())
        return EASEL_SPM_OK;
      std::snprintf (message, message_size, "%s", status.ToString ().c_str ());
    }
  catch (const std::bad_alloc &)
    {
      return EASEL_SPM_NO_MEMORY;
    }
  catch (const std::exception &e)
    {
      std::snprintf (message, message_size, "%s", e.what ());
    }
  catch (...)
    {
      std::snprintf (message, message_size, "unknown error");
    }
  return EASEL_SPM_FAILED;
}

} // namespace

EaselSpmStatus
easel_spm_open (const void *data, size_t size, EaselSpm **out, char *message, size_t message_size) noexcept
{
  return guarded (message, message_size, [&] {
    std::unique_ptr<EaselSpm> self (new EaselSpm);
    const auto status
        = self->processor.LoadFromSerializedProto (absl::string_view (static_cast<const char *> (data), size));

    if (status.ok ())
      *out = self.release ();
    return status;
  });
}

void
easel_spm_free (EaselSpm *self) noexcept
{
  delete self;
}

EaselSpmStatus
easel_spm_encode (const EaselSpm *self, const char *text, size_t size, EaselSpmToken token, void *user, char *message,
                  size_t message_size) noexcept
{
  return guarded (message, message_size, [&] {
    sentencepiece::ImmutableSentencePieceText result;
    const auto status = self->processor.Encode (absl::string_view (text, size), result.mutable_proto ());

    if (status.ok ())
      for (size_t i = 0, n = result.pieces_size (); i < n; i++)
        {
          const auto piece = result.pieces (static_cast<int> (i));

          token (user, static_cast<int32_t> (piece.id ()), piece.begin (), piece.end ());
        }
    return status;
  });
}
