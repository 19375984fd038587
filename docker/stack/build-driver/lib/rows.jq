# The layers in the order in which they are stacked, a line each, from their descriptions as the inputs. One is sent unless
# the previous build's record has the same layer at the same height, upon the same layers.
[inputs | . + {name: (input_filename | sub(".*/"; "") | sub("\\.json$"; "")), key: (.key // "none")}]
| sort_by(.rank // 5)
| [$record[][]? | select(.isLaunch) | [.name, .key]] as $before
| reduce .[] as $layer ({rows: [], height: 0, same: true};
    ($layer.launch != false) as $launch
    | if $launch then
        .same = (.same and $layer.reuse == true and $before[.height] == [$layer.name, $layer.key]) | .height += 1
      else . end
    | .rows += [[$layer.name, $layer.path, $layer.key, ($launch and (.same | not)), $launch,
        ($layer.from // "-"), (($layer.exclude // ["-"]) | join(" ")), ($layer.tree // "-")]])
| .rows[] | @tsv
