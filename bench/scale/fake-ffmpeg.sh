#!/bin/sh
# Stands in for ffmpeg: waits as long as the encode would take, then writes ready-made CMAF tracks to the pipes that it
# was given. They lie beside it: RATE-SEGMENTS.mp4, by a rung's rate cap and the length of the chunk, and the time to wait.
folder=${0%/*}
for argument; do
  case $argument in
  *trim=start_pts=*)
    start=${argument##*trim=start_pts=} end=${argument##*:end_pts=}
    segments=$(((${end%%,*} - ${start%%:*}) / 96))
    sleep "$(cat "$folder/seconds-$segments")"
    ;;
  pipe:*) [ -n "$rate" ] && cat "$folder/$rate-$segments.mp4" >&"${argument#pipe:}" ;;
  esac
  [ "$before" = -maxrate ] && rate=$argument
  before=$argument
done
exit 0
