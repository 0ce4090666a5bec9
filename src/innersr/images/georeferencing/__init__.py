"""Where the pixels of a map lie: GeoTIFF tags, world files and GDAL's files beside a picture, after upscaling."""
