# SPDX-License-Identifier: GPL-3.0-or-later
# fish completion for easel-cli

set -l commands generate models plan inspect reproduce samplers help
set -l run '__fish_seen_subcommand_from generate plan'
set -l engine '__fish_seen_subcommand_from generate plan reproduce'
set -l write '__fish_seen_subcommand_from generate reproduce'

complete -c easel-cli -f
complete -c easel-cli -n "not __fish_seen_subcommand_from $commands" -a generate -d 'make pictures from words'
complete -c easel-cli -n "not __fish_seen_subcommand_from $commands" -a models -d 'list the models that are installed'
complete -c easel-cli -n "not __fish_seen_subcommand_from $commands" -a plan -d 'say what a picture would need'
complete -c easel-cli -n "not __fish_seen_subcommand_from $commands" -a inspect -d 'say what is inside a file'
complete -c easel-cli -n "not __fish_seen_subcommand_from $commands" -a reproduce -d 'make a picture again and compare'
complete -c easel-cli -n "not __fish_seen_subcommand_from $commands" -a samplers -d 'list the samplers'
complete -c easel-cli -n "not __fish_seen_subcommand_from $commands" -a help -d 'explain a command'
complete -c easel-cli -n '__fish_seen_subcommand_from help' -a 'generate models plan inspect reproduce samplers'
complete -c easel-cli -n '__fish_seen_subcommand_from inspect reproduce' -F

complete -c easel-cli -n '__fish_seen_subcommand_from generate plan reproduce samplers' -s m -l model -x \
  -a '(easel-cli models 2>/dev/null | sed 1d | cut -d" " -f1; __fish_complete_directories)' -d 'the model'
complete -c easel-cli -n $run -s p -l prompt -x -d 'what the picture should show'
complete -c easel-cli -n $run -s n -l negative -x -d 'what it should not show'
complete -c easel-cli -n $run -s s -l size -x -a '512x512 1024x1024' -d 'pixels'
complete -c easel-cli -n $run -l steps -x -d 'denoising steps'
complete -c easel-cli -n $run -s g -l guidance -x -d 'how strictly to follow the prompt'
complete -c easel-cli -n $run -l seed -x -d 'start of the random numbers'
complete -c easel-cli -n $run -l sampler -x -a '(easel-cli samplers 2>/dev/null | cut -d" " -f1)' -d 'the sampler'
complete -c easel-cli -n $run -s c -l count -x -d 'pictures for each prompt'
complete -c easel-cli -n $run -l no-instruction -d 'leave the instruction before the prompt out'
complete -c easel-cli -n $run -l no-binning -d 'compute at exactly the size asked for'
complete -c easel-cli -n $run -l max-tokens -x -d 'how much of the prompt the model reads'
complete -c easel-cli -n $run -l noise -x -a 'cpu cuda' -d 'whose random numbers a seed means'
complete -c easel-cli -n $engine -s d -l device -x -a 'cpu cuda' -d 'what computes'
complete -c easel-cli -n $engine -s t -l threads -x -d 'processor threads'
complete -c easel-cli -n $write -s o -l output -r -F -d 'where to write'
complete -c easel-cli -n $write -s f -l force -d 'write over an existing file'
complete -c easel-cli -n $write -l quality -x -d 'of JPEG and WebP, 1 to 100'
complete -c easel-cli -n $write -l no-metadata -d 'leave prompt and settings out of the file'
complete -c easel-cli -s q -l quiet -d 'no progress'
complete -c easel-cli -n '__fish_seen_subcommand_from generate' -l prompts -r -F -d 'a file with many prompts'
complete -c easel-cli -n '__fish_seen_subcommand_from generate' -l preview -r -F -d 'show the picture as it grows'
complete -c easel-cli -l models -x -a '(__fish_complete_directories)' -d 'look for models in this folder too'
complete -c easel-cli -l json -d 'JSON on standard output'
complete -c easel-cli -s h -l help -d 'explain the command'
complete -c easel-cli -s V -l version -d 'the version'
