"""The numbers of the TIFF tags that describe pixels (TIFF 6.0, section 8, and Adobe's technical notes)."""

from enum import IntEnum


class Tag(IntEnum):
    """The number of a tag; its name is that of the specification."""

    NewSubfileType = 254
    SubfileType = 255
    ImageWidth = 256
    ImageLength = 257
    BitsPerSample = 258
    Compression = 259
    PhotometricInterpretation = 262
    FillOrder = 266
    StripOffsets = 273
    Orientation = 274
    SamplesPerPixel = 277
    RowsPerStrip = 278
    StripByteCounts = 279
    PlanarConfiguration = 284
    Predictor = 317
    ColorMap = 320
    TileWidth = 322
    TileLength = 323
    TileOffsets = 324
    TileByteCounts = 325
    SubIFDs = 330
    InkSet = 332
    DotRange = 336
    ExtraSamples = 338
    SampleFormat = 339
    YCbCrCoefficients = 529
    YCbCrSubSampling = 530
    ReferenceBlackWhite = 532

    def __str__(self) -> str:
        return f"the tag {self.name} ({self.value})"
