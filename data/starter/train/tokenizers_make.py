# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the two tokenizers from captions, and the tokenizer.json that fast tokenizers read.

  python3 tokenizers_make.py image FOLDER     SentencePiece BPE, 1280 pieces (Gemma)  -> FOLDER/tokenizer
  python3 tokenizers_make.py video FOLDER     SentencePiece Unigram, 1000 pieces (T5) -> FOLDER/tokenizer
Ids of the trained weights belong to the tokenizer.model beside them: making one anew means training anew.
"""

import json
import os
import random
import sys

import captions
import clips
import sentencepiece as spm
from common import HERE
from scenes import image_scene
from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SIGNS = "0123456789.,;:!?'\"-()/&+*%#@=_"


def lines(kind, n=120000):
    r, words = random.Random(7), open(f"{HERE}/words.txt").read().split()
    captions.WORDS = words
    for _ in range(n):
        if kind == "image":
            yield captions.caption(r, image_scene(r)[3])
        else:
            yield clips.video_caption(r, clips.video_scene(r)[3])
    alone = " ".join(SIGNS + LETTERS)
    for _ in range(50):
        yield alone
        if kind == "video":
            yield alone.upper()
    for w in words:
        for k in range(12):
            yield f"a {w}" if k % 2 else w if kind == "image" or k % 4 else w.capitalize()


def train(kind, path):
    common = dict(sentence_iterator=lines(kind), model_prefix=path, pad_id=0, eos_id=1, pad_piece="<pad>",
                  unk_piece="<unk>", character_coverage=1.0, max_sentence_length=2000, num_threads=2)  # fmt: skip
    if kind == "image":
        spm.SentencePieceTrainer.train(
            **common, model_type="bpe", vocab_size=1280, byte_fallback=True, bos_id=2, unk_id=3, eos_piece="<eos>",
            bos_piece="<bos>", user_defined_symbols=["<mask>"], add_dummy_prefix=False, remove_extra_whitespaces=False,
            normalization_rule_name="identity", split_digits=True, required_chars=LETTERS + SIGNS)  # fmt: skip
    else:
        spm.SentencePieceTrainer.train(
            **common, model_type="unigram", vocab_size=1000, byte_fallback=False, unk_id=2, bos_id=-1, eos_piece="</s>",
            add_dummy_prefix=True, normalization_rule_name="nmt_nfkc",
            required_chars=LETTERS + LETTERS.upper() + SIGNS)  # fmt: skip


def pieces(path):
    from sentencepiece import sentencepiece_model_pb2 as pb

    m = pb.ModelProto()
    m.ParseFromString(open(path, "rb").read())
    return m


def gemma(d):
    m = pieces(f"{d}/tokenizer.model")
    ids, kind, merges = {p.piece: i for i, p in enumerate(m.pieces)}, {p.piece: p.type for p in m.pieces}, []
    for p in m.pieces:
        if p.type == 1 and len(p.piece) > 1:
            cut = [(p.piece[:i], p.piece[i:]) for i in range(1, len(p.piece))]
            cut = [c for c in cut if all(x in ids and kind[x] == 1 for x in c)]
            merges += [(p.score, *c) for c in sorted(cut, key=lambda c: (ids[c[0]], ids[c[1]]))]
    merges.sort(key=lambda v: -v[0])
    t = Tokenizer(BPE(vocab=ids, merges=[m[1:] for m in merges], fuse_unk=True, unk_token="<unk>", byte_fallback=True))
    t.normalizer = normalizers.Replace(" ", "▁")
    t.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    t.add_special_tokens([AddedToken(x, special=True, normalized=False) for x in special])
    t.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos> $B", special_tokens=[("<bos>", 2)]
    )
    t.save(f"{d}/tokenizer.json", pretty=False)
    names = dict(bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", unk_token="<unk>")
    conf = dict(tokenizer_class="GemmaTokenizer", add_bos_token=True, add_eos_token=False, **names, mask_token="<mask>",
                clean_up_tokenization_spaces=False, model_max_length=1000000000000000019884624838656,
                padding_side="right", sp_model_kwargs={}, spaces_between_special_tokens=False,
                use_default_system_prompt=False)  # fmt: skip
    finish(d, names, conf)


def t5(d):
    """only the SentencePiece model, as CogVideoX has it: a tokenizer.json would hold its table of characters again"""
    names = dict(eos_token="</s>", pad_token="<pad>", unk_token="<unk>")
    conf = dict(tokenizer_class="T5Tokenizer", **names, extra_ids=0, additional_special_tokens=[], model_max_length=32,
                clean_up_tokenization_spaces=False, legacy=False, sp_model_kwargs={})  # fmt: skip
    finish(d, names, conf)


def finish(d, names, conf):
    flags = dict(lstrip=False, normalized=False, rstrip=False, single_word=False)
    json.dump(conf, open(f"{d}/tokenizer_config.json", "w"), indent=2)
    json.dump(
        {k: dict(content=v, **flags) for k, v in names.items()}, open(f"{d}/special_tokens_map.json", "w"), indent=2
    )


if __name__ == "__main__":
    kind, d = sys.argv[1], sys.argv[2] + "/tokenizer"
    os.makedirs(d, exist_ok=True)
    name = f"{d}/tokenizer" if kind == "image" else f"{d}/spiece"
    if not os.path.exists(name + ".model"):
        train(kind, name)
        if os.path.exists(name + ".vocab"):
            os.remove(name + ".vocab")
    gemma(d) if kind == "image" else t5(d)
