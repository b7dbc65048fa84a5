// Turn a picture into the image that a model takes, value by value as `pipeline/predict/images.py` does with Pillow.
// An image is { height, width, channels, pixels }, its pixels in rows.

// Python rounds a half to the even neighbour.
function roundEven(number) {
  const rounded = Math.round(number);
  return number % 1 === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

// The places of the outermost pixels, each once.
function borderPlaces({ height, width }) {
  const places = [];
  for (let row = 0; row < height; row++) {
    const step = row === 0 || row === height - 1 ? 1 : Math.max(1, width - 1);
    for (let column = 0; column < width; column += step) places.push({ row, column });
  }
  return places;
}

// Their values: a list for each channel.
function border(image) {
  const { width, channels, pixels } = image;
  const places = borderPlaces(image);
  return Array.from({ length: channels }, (_, channel) =>
    places.map(({ row, column }) => pixels[(row * width + column) * channels + channel]),
  );
}

function median(values) {
  const sorted = Float64Array.from(values).sort();
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// Draw red, green, blue and opacity, as canvases hold them, on a background of one grey, in grey or in colour.
function blend(rgba, { height, width, channels }, ground) {
  const pixels = new Uint8Array(height * width * channels);
  const colour = [0, 0, 0];
  for (let place = 0; place < height * width; place++) {
    const opacity = rgba[4 * place + 3];
    for (let channel = 0; channel < 3; channel++) {
      const sum = (rgba[4 * place + channel] * opacity + ground * (255 - opacity) + 128) * 128;
      colour[channel] = ((sum >> 8) + sum) >> 15; // divides by 255 * 128
    }
    if (channels === 3) [pixels[3 * place], pixels[3 * place + 1], pixels[3 * place + 2]] = colour;
    else pixels[place] = (19595 * colour[0] + 38470 * colour[1] + 7471 * colour[2] + 0x8000) >> 16; // luma of ITU-R 601
  }
  return { height, width, channels, pixels };
}

// Divide the sides by a whole number: each new pixel is the mean of a square, at the edges of what is left of it.
function reduce(image, factor) {
  const { channels } = image;
  const [height, width] = [image.height, image.width].map((side) => Math.ceil(side / factor));
  const pixels = new Uint8Array(height * width * channels);
  for (let place = 0; place < pixels.length; place++) {
    const pixel = Math.floor(place / channels);
    const [top, left] = [Math.floor(pixel / width) * factor, (pixel % width) * factor];
    const [bottom, right] = [Math.min(top + factor, image.height), Math.min(left + factor, image.width)];
    const count = (bottom - top) * (right - left);
    let sum = Math.floor(count / 2);
    for (let row = top; row < bottom; row++) {
      for (let column = left; column < right; column++) {
        sum += image.pixels[(row * image.width + column) * channels + (place % channels)];
      }
    }
    pixels[place] = Math.floor((sum * Math.floor(2 ** 24 / count)) / 2 ** 24);
  }
  return { height, width, channels, pixels };
}

// The largest difference of two values of one channel.
function range({ channels, pixels }) {
  const low = Array(channels).fill(255);
  const high = Array(channels).fill(0);
  for (let place = 0; place < pixels.length; place++) {
    const channel = place % channels;
    if (pixels[place] < low[channel]) low[channel] = pixels[place];
    if (pixels[place] > high[channel]) high[channel] = pixels[place];
  }
  return Math.max(...high.map((value, channel) => value - low[channel]));
}

// An opaque image in grey or in colour. Transparent pixels become white, or black if on white nothing could be seen.
// A large picture that is kept whole is reduced first.
function flatten(rgba, height, width, settings) {
  const { channels, oversampled, faint, extent } = settings;
  const wanted = oversampled * Math.max(settings.height, settings.width);
  const factor = extent === null ? Math.max(1, Math.floor(Math.min(height, width) / wanted)) : 1;
  const on = (ground) => reduce(blend(rgba, { height, width, channels }, ground), factor);
  const onWhite = on(255);
  if (range(onWhite) >= faint) return onWhite;
  const onBlack = on(0);
  return range(onBlack) >= faint ? onBlack : onWhite;
}

// Kernels to resample with, each with the distance at which it ends.
const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
const LANCZOS = { end: 3, at: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) };
const BICUBIC = {
  end: 2,
  at(signed) {
    const x = Math.abs(signed);
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((x - 5) * x + 8) * x * -0.5 + 2 : 0;
  },
};

const FIXED = 2 ** 22; // Pillow's weights are whole numbers of this fraction

// For each new pixel of a line: the first old one that it takes from, and the weights of that and the following.
function weights(length, size, kernel) {
  const scale = length / size;
  const stretch = Math.max(scale, 1);
  return Array.from({ length: size }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - kernel.end * stretch + 0.5));
    const last = Math.min(length, Math.trunc(centre + kernel.end * stretch + 0.5));
    const values = Array.from({ length: last - first }, (_, step) => kernel.at((first + step - centre + 0.5) / stretch));
    const sum = values.reduce((total, value) => total + value, 0);
    return { first, values: values.map((value) => Math.trunc((value / sum) * FIXED + Math.sign(value / sum) * 0.5)) };
  });
}

// Resample lines of values: `lines` of them lie `next` values apart, a line's values `step` apart.
function resample(pixels, made, lines, from, to, kernel) {
  weights(from.length, to.length, kernel).forEach(({ first, values }, place) => {
    for (let line = 0; line < lines; line++) {
      const start = line * from.next + first * from.step;
      for (let channel = 0; channel < from.channels; channel++) {
        let sum = FIXED / 2;
        for (let at = 0; at < values.length; at++) sum += values[at] * pixels[start + at * from.step + channel];
        made[line * to.next + place * to.step + channel] = Math.floor(sum / FIXED);
      }
    }
  });
}

// Resample first along rows, then along columns, and round after each.
function resize(image, height, width, kernel) {
  const { channels } = image;
  const row = { length: image.width, next: image.width * channels, step: channels, channels };
  const newRow = { length: width, next: width * channels, step: channels };
  const narrow = new Uint8ClampedArray(image.height * width * channels);
  resample(image.pixels, narrow, image.height, row, newRow, kernel);
  const column = { length: image.height, next: channels, step: width * channels, channels };
  const pixels = new Uint8ClampedArray(height * width * channels);
  resample(narrow, pixels, width, column, { ...column, length: height }, kernel);
  return { height, width, channels, pixels: Uint8Array.from(pixels) };
}

// Whether nearly all values of the border are background, given what they differ by from it, a list for each channel.
function isPlain(differences, { tolerance, nearlyAll }) {
  const near = differences[0].filter((_, place) => differences.every((values) => Math.abs(values[place]) <= tolerance));
  return near.length >= nearlyAll * differences[0].length;
}

// Remove light that falls off to one side: level the plane that fits the border's values best, if that makes nearly all
// of the border background.
function evenLight(image, settings) {
  const { height, width, channels, pixels } = image;
  const edge = border(image);
  const differences = edge.map((values) => {
    const middle = median(values);
    return values.map((value) => value - middle);
  });
  if (isPlain(differences, settings) || Math.min(height, width) < 2) return image;
  const down = Array.from({ length: height }, (_, row) => (2 * row) / (height - 1) - 1);
  const right = Array.from({ length: width }, (_, column) => (2 * column) / (width - 1) - 1);
  const places = borderPlaces(image);
  const rows = places.map(({ row }) => down[row]);
  const columns = places.map(({ column }) => right[column]);
  const product = (one, other) => one.reduce((sum, value, place) => sum + value * other[place], 0);
  // A border is the same on both sides of the middle, so that each slope is found by itself.
  const slope = (values, direction) => product(values, direction) / product(direction, direction);
  const planes = edge.map((values) => [slope(values, rows), slope(values, columns), mean(values)]);
  const rests = edge.map((values, channel) => {
    const [downward, rightward, middle] = planes[channel];
    return values.map((value, place) => value - downward * rows[place] - rightward * columns[place] - middle);
  });
  if (!isPlain(rests, settings)) return image;
  const levelled = new Uint8ClampedArray(pixels.length); // which rounds a half to the even neighbour, as NumPy does
  for (let place = 0; place < pixels.length; place++) {
    const [downward, rightward] = planes[place % channels];
    const pixel = Math.floor(place / channels);
    levelled[place] = pixels[place] - downward * down[Math.floor(pixel / width)] - rightward * right[pixel % width];
  }
  return { height, width, channels, pixels: Uint8Array.from(levelled) };
}

// The smallest rectangle outside of which all pixels are as the border; everything if nothing differs.
function contentBox(image, tolerance) {
  const { height, width, channels, pixels } = image;
  const ground = border(image).map(median);
  let [top, left, bottom, right] = [height, width, 0, 0];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const at = (row * width + column) * channels;
      if (ground.every((value, channel) => Math.abs(pixels[at + channel] - value) <= tolerance)) continue;
      if (row < top) top = row;
      if (column < left) left = column;
      if (column >= right) right = column + 1;
      bottom = row + 1;
    }
  }
  return bottom ? { top, left, bottom, right } : { top: 0, left: 0, bottom: height, right: width };
}

function crop({ width, channels, pixels }, { top, left, bottom, right }) {
  const made = { height: bottom - top, width: right - left, channels };
  made.pixels = new Uint8Array(made.height * made.width * channels);
  for (let row = 0; row < made.height; row++) {
    const start = ((top + row) * width + left) * channels;
    made.pixels.set(pixels.subarray(start, start + made.width * channels), row * made.width * channels);
  }
  return made;
}

// Put an image into a frame filled with one value a channel.
function place(image, { height, width, top, left, ground }) {
  const { channels } = image;
  const pixels = Uint8Array.from({ length: height * width * channels }, (_, at) => ground[at % channels]);
  for (let row = 0; row < image.height; row++) {
    const line = image.pixels.subarray(row * image.width * channels, (row + 1) * image.width * channels);
    pixels.set(line, ((top + row) * width + left) * channels);
  }
  return { height, width, channels, pixels };
}

const scaled = (image, scale) => [image.height, image.width].map((side) => Math.max(1, roundEven(side * scale)));

// Crop to the content, and centre it so that its longer side fills `extent` of the frame.
function fitContent(image, settings) {
  const content = crop(image, contentBox(image, settings.tolerance));
  const scale = settings.extent * Math.min(settings.height / content.height, settings.width / content.width);
  const resized = resize(content, ...scaled(content, scale), BICUBIC);
  const top = Math.floor((settings.height - resized.height) / 2);
  const left = Math.floor((settings.width - resized.width) / 2);
  return place(resized, { ...settings, top, left, ground: border(image).map(median) });
}

// Keep all of the picture, in its proportions.
function fitAll(image, settings) {
  const scale = Math.min(settings.height / image.height, settings.width / image.width);
  const resized = resize(image, ...scaled(image, scale), LANCZOS);
  const top = roundEven((settings.height - resized.height) / 2);
  const left = roundEven((settings.width - resized.width) / 2);
  return place(resized, { ...settings, top, left, ground: border(resized).map(median) });
}

const inverse = (pixels) => pixels.map((value) => 255 - value);

// The image that the model takes, and what was done: whether it was fitted and inverted, and the grey of its border.
function prepare(image, settings) {
  const fitted = image.height !== settings.height || image.width !== settings.width;
  if (fitted) image = settings.extent === null ? fitAll(image, settings) : fitContent(evenLight(image, settings), settings);
  const grey = mean(border(image).flat());
  const background = grey > 127.5 ? "light" : "dark";
  const inverted = settings.background !== null && settings.background !== background;
  const unclear = settings.background !== null && settings.middle[0] < grey && grey < settings.middle[1];
  return { pixels: inverted ? inverse(image.pixels) : image.pixels, fitted, inverted, background, grey, unclear };
}

// Draw a stroke's next piece, with an edge of half a pixel. `coverage` keeps how much of each pixel the stroke covers,
// so that pieces that overlap do not add up.
function stroke(coverage, { height, width }, from, to, radius) {
  const [x, y] = [to.x - from.x, to.y - from.y];
  const length = x * x + y * y;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const [right, down] = [column + 0.5 - from.x, row + 0.5 - from.y];
      const along = length ? Math.min(1, Math.max(0, (right * x + down * y) / length)) : 0;
      const distance = Math.hypot(right - along * x, down - along * y);
      const covered = Math.min(1, Math.max(0, radius + 0.5 - distance));
      coverage[row * width + column] = Math.max(coverage[row * width + column], covered);
    }
  }
}
