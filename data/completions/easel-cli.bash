# SPDX-License-Identifier: GPL-3.0-or-later
# bash completion for easel-cli

_easel_cli ()
{
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}
  local common="--models --json --quiet --help --version"
  local run="--model --prompt --negative --size --steps --guidance --seed --sampler --count --no-instruction --no-binning
    --max-tokens --noise --device --vram-limit --precision --threads --frames --fps --input --fit-input --image --video --strength
    --reuse --dynamic-guidance"
  local write="--output --force --quality --no-metadata"
  local hub="--revision --precision --cache --import --connections --limit --endpoint --use-login --offline --deep --dry-run
    --orphans"
  local gallery="--folder --stars --tag --kind --since --sort --format --repair --new-index --model --count"
  local options=""

  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=($(compgen -W "generate models plan inspect reproduce gallery samplers help --help --version" -- "$word"))
    return
  fi
  case $before in
    --model | -m)
      # Names first; a word with a slash is a folder.
      COMPREPLY=($(compgen -W "$(easel-cli models 2>/dev/null | sed 1d | cut -d' ' -f1)" -- "$word"))
      [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -d -- "$word"))
      return ;;
    --sampler)
      COMPREPLY=($(compgen -W "$(easel-cli samplers 2>/dev/null | cut -d' ' -f1)" -- "$word"))
      return ;;
    --models | --cache | --import) COMPREPLY=($(compgen -d -- "$word")); return ;;
    --output | -o | --preview | --prompts | --input | -i | --image | --video | --checkpoint) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --device | -d) COMPREPLY=($(compgen -W "auto cpu cuda" -- "$word")); return ;;
    --codec) COMPREPLY=($(compgen -W "h264 vp9 av1" -- "$word")); return ;;
    --noise) COMPREPLY=($(compgen -W "cpu cuda" -- "$word")); return ;;
    --size | -s) COMPREPLY=($(compgen -W "512x512 1024x1024" -- "$word")); return ;;
    --precision) COMPREPLY=($(compgen -W "auto bf16 fp16 fp32 fp8 int8 all" -- "$word")); return ;;
    --folder) COMPREPLY=($(compgen -d -- "$word")); return ;;
    --kind) COMPREPLY=($(compgen -W "picture clip" -- "$word")); return ;;
    --sort) COMPREPLY=($(compgen -W "newest oldest stars name" -- "$word")); return ;;
    --format) COMPREPLY=($(compgen -W "png jpg webp" -- "$word")); return ;;
    --stars | --tag | --since) return ;;
    --revision | --connections | --limit | --endpoint) return ;;
    --prompt | -p | --negative | -n | --steps | --guidance | -g | --seed | --count | -c | --quality | --max-tokens | --threads | -t | --frames \
      | --fps | --strength | --reuse | --bitrate | --loops)
      return ;;
  esac
  case $command in
    generate) options="$run $write --prompts --preview --checkpoint --bitrate --codec --loops --measure-loss $common" ;;
    plan) options="$run $common" ;;
    reproduce) options="--model --device --vram-limit --threads $write $common" ;;
    samplers) options="--model $common" ;;
    gallery) options="$gallery $write $common" ;;
    models) options="$hub $common" ;;
    inspect) options=$common ;;
    help) COMPREPLY=($(compgen -W "generate models plan inspect reproduce gallery samplers" -- "$word")); return ;;
  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$word"))
  elif [ "$command" = models ] && [ "$COMP_CWORD" = 2 ]; then
    COMPREPLY=($(compgen -W "search plan licence pull verify repair remove tidy login logout" -- "$word"))
  elif [ "$command" = gallery ] && [ "$COMP_CWORD" = 2 ]; then
    COMPREPLY=($(compgen -W "list search export check" -- "$word"))
  elif [ "$command" = gallery ] || [ "$command" = inspect ] || [ "$command" = reproduce ]; then
    COMPREPLY=($(compgen -f -- "$word"))
  fi
}
complete -o filenames -F _easel_cli easel-cli
