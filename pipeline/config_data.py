"""The schema of ``data`` and ``splits`` in ``params.yaml``."""

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, PositiveInt, Tag, model_validator
from pydantic_core import PydanticCustomError

from pipeline.config_base import Fraction, Matching, PlainText, Seed, StrictModel, first_key

Side = Annotated[int, Field(ge=1, le=4096)]
FileName = Annotated[str, Matching(r"\w[\w.-]*", "a file name of letters, digits, _, . and -")]
LocalFolder = Annotated[str, Matching(r"data/local(/[\w-][^/\\]*)*", "data/local or a folder below it")]
Sha256 = Annotated[str, Matching(r"[0-9a-f]{64}", "64 hexadecimal digits")]
HttpsUrl = Annotated[str, Matching(r"https://\S+", "an address that begins with https://")]
DebianPackage = Annotated[str, Matching(r"[a-z0-9][a-z0-9+.-]+", "the name of a Debian package")]


class UrlSource(StrictModel):
    """Files below an HTTPS address."""

    url: HttpsUrl
    """the address of the folder, which begins with https://"""


class DebianSource(StrictModel):
    """Files inside a package of the machine's Debian or Ubuntu archive."""

    debian: DebianPackage
    """the package's name"""


class FolderSource(StrictModel):
    """Files in a local folder, relative to the repository."""

    folder: PlainText
    """data/local or a folder below it; a folder elsewhere only for files with a checksum"""


Source = Annotated[
    Annotated[UrlSource, Tag("url")] | Annotated[DebianSource, Tag("debian")] | Annotated[FolderSource, Tag("folder")],
    Discriminator(first_key, custom_error_type="source", custom_error_message="a source is one of url, debian, folder"),
]


class RawFile(StrictModel):
    """A file as the sources name it, and the SHA-256 of its decompressed content."""

    name: FileName
    """the file's name, without .gz"""
    sha256: Sha256 | None
    """64 hexadecimal digits; null accepts any content, from data/local only"""


class HeldOut(StrictModel):
    """Test images held out of the training images, the same fraction of each class."""

    fraction: Fraction
    """the fraction of each class, such as 0.2"""
    seed: Seed
    """the start of the random numbers that choose the images"""


def _test_tag(test: Any) -> str:
    """Return the tag of how test images are told from training images."""
    if isinstance(test, dict):
        return "separate" if test.keys() & {"folder", "name", "sha256"} else "held out"
    return "separate" if isinstance(test, RawFile | SeparateFolder) else "held out"


class _RawFiles(StrictModel):
    """The files of one format."""

    @property
    def files(self) -> list[RawFile]:
        """All files of the format."""
        return [file for _, file in self if isinstance(file, RawFile)]

    @property
    def held_out(self) -> HeldOut | None:
        """Hold test images out of the training images in this way, if no file has them."""
        return next((test for _, test in self if isinstance(test, HeldOut)), None)

    @model_validator(mode="after")
    def refuse_equal_names(self) -> Self:
        """Refuse two files of one name: one would be read as both."""
        keys: dict[str, str] = {}
        for key, file in self:
            if isinstance(file, RawFile) and (first := keys.setdefault(file.name, key)) != key:
                context = {"key": f"{key}.name", "first": first}
                raise PydanticCustomError("files", "another file than {first}", context)
        return self


class IdxFiles(_RawFiles):
    """The four files of the IDX format."""

    train_images: RawFile
    """images to train on"""
    train_labels: RawFile
    """their labels, in the same order"""
    test_images: RawFile
    """images to test on"""
    test_labels: RawFile
    """their labels, in the same order"""
    transposed: bool
    """whether rows and columns of each image are swapped, as in EMNIST"""


class IdxPair(_RawFiles):
    """Two files of the IDX format, of which test images are held out."""

    train_images: RawFile
    """images to train and test on"""
    train_labels: RawFile
    """their labels, in the same order"""
    test: HeldOut
    """how test images are held out"""
    transposed: bool
    """whether rows and columns of each image are swapped, as in EMNIST"""


def _idx_tag(files: Any) -> str:
    """Return the tag of the files: four, or two of which test images are held out."""
    held_out = "test" in files if isinstance(files, dict) else isinstance(files, IdxPair)
    return "two files" if held_out else "four files"


class CsvFiles(_RawFiles):
    """The tables of the CSV format: two, or one of which test images are held out."""

    train: RawFile
    """the table to train on"""
    test: Annotated[Annotated[RawFile, Tag("separate")] | Annotated[HeldOut, Tag("held out")], Discriminator(_test_tag)]
    """a table to test on, or {fraction, seed} to hold test images out of the other"""
    transposed: bool
    """whether rows and columns of each image are swapped, as in EMNIST"""


class SeparateFolder(StrictModel):
    """Test images in a folder of their own."""

    folder: LocalFolder
    """the folder, which has one folder for each class; data/local or below it"""


class Size(StrictModel):
    """Height and width of an image in pixels."""

    height: Side
    """pixels, at most 4096"""
    width: Side
    """pixels, at most 4096"""


class ImageFolders(StrictModel):
    """Folders with one folder of images for each class, and how the images are converted."""

    train: LocalFolder
    """the training images: data/local or a folder below it, which has one folder for each class"""
    test: Annotated[
        Annotated[SeparateFolder, Tag("separate")] | Annotated[HeldOut, Tag("held out")], Discriminator(_test_tag)
    ]
    """{folder} of the test images, or {fraction, seed} to hold them out of the training images"""
    resize: Size | None
    """scale each image in its proportions and fill the rest; null: all images have one size already"""
    color: Literal["grey", "rgb"]
    """grey: the luminance of colour images; rgb: three channels"""

    @model_validator(mode="after")
    def refuse_equal_folders(self) -> Self:
        """Refuse test images that are the training images."""
        if isinstance(self.test, SeparateFolder) and self.test.folder == self.train:
            raise PydanticCustomError("folders", "another folder than for training", {"key": "test.folder"})
        return self


class _Data(StrictModel):
    """The settings that all formats have in common."""

    sources: Annotated[list[Source], Field(min_length=1)]
    """where the files come from, tried in this order"""
    classes: Annotated[list[PlainText], Field(min_length=2, max_length=256)] | None
    """names in the order of the labels; null takes the labels themselves, or the names of the folders"""
    normalization: Literal["minmax", "standard"]
    """minmax scales pixels to 0-1, standard to zero mean and unit variance, by the training images"""

    @model_validator(mode="after")
    def refuse_equal_classes(self) -> Self:
        """Refuse two classes of one name, which a table could not tell apart."""
        if self.classes is not None and len(set(self.classes)) < len(self.classes):
            raise PydanticCustomError("classes", "class names must differ", {"key": "classes"})
        return self


class IdxData(_Data):
    """Data in the IDX format of MNIST."""

    format: Literal["idx"]
    """four binary files, or two; the section `idx` names them"""
    idx: Annotated[
        Annotated[IdxFiles, Tag("four files")] | Annotated[IdxPair, Tag("two files")], Discriminator(_idx_tag)
    ]
    """the files: images and labels of training and test, or training alone, of which test images are held out"""


class CsvData(_Data):
    """Data in CSV tables of label and pixels."""

    format: Literal["csv"]
    """tables of label and pixels; the section `csv` names them"""
    csv: CsvFiles
    """the tables"""


class ImageData(_Data):
    """Data in folders of PNG and JPEG files."""

    format: Literal["images"]
    """folders of PNG and JPEG files; the section `images` names them"""
    images: ImageFolders
    """the folders, and how images are converted"""


def _format_tag(data: Any) -> str | None:
    """Return the tag of the data's format, which no key of the data has as its name."""
    name = data.get("format") if isinstance(data, dict) else getattr(data, "format", None)
    return f"format {name}" if name in ("idx", "csv", "images") else None


DataConfig = Annotated[
    Annotated[IdxData, Tag("format idx")]
    | Annotated[CsvData, Tag("format csv")]
    | Annotated[ImageData, Tag("format images")],
    Discriminator(
        _format_tag,
        custom_error_type="format",
        custom_error_message="format is one of idx, csv, images",
        custom_error_context={"key": "format"},
    ),
]


class SplitConfig(StrictModel):
    """The training images held out for validation: a fraction or a number, as scikit-learn's `test_size`."""

    validation_size: Fraction | PositiveInt
    """a fraction of the training images, or their number; the same share of each class"""
    seed: Seed
    """the start of the random numbers that choose the images"""
