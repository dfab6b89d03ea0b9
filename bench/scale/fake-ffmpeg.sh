#!/bin/sh
# Stands in for ffmpeg: writes ready-made CMAF segments to the pipes that it was given, each when it would be encoded. They
# lie beside it: RATE-NUMBER.mp4, by a rung's rate cap, 0 for the init segment; and the time that a segment takes.
folder=${0%/*}
tracks=
for argument; do
  case $argument in
  *trim=start_pts=*)
    start=${argument##*trim=start_pts=} end=${argument##*:end_pts=}
    segments=$(((${end%%,*} - ${start%%:*}) / 96))
    ;;
  pipe:*) [ -n "$rate" ] && tracks="$tracks $rate:${argument#pipe:}" ;;
  esac
  [ "$before" = -maxrate ] && rate=$argument
  before=$argument
done
seconds=$(cat "$folder/seconds")
number=0
while [ "$number" -le "$segments" ]; do
  for track in $tracks; do cat "$folder/${track%:*}-$number.mp4" >&"${track#*:}"; done
  number=$((number + 1))
  [ "$number" -le "$segments" ] && sleep "$seconds"
done
exit 0
