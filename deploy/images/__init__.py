"""Building, weighing and trying the two images: script/images. `precompile` runs inside of a build."""
