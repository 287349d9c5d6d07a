import CKernelReference
import CTensor

extension OwnCases {
    private struct Shape {
        var name: String
        var size = 3, depth = 1, stride = 1, timeStride = 1, past = 0, frames = 1, doubles = false, channels = 34, outputs = 37
        /// Of a kernel along a line.
        var dilation = 0
    }

    private static let shapes = [
        Shape(name: "3×3"), Shape(name: "3×3×3 with a past", depth: 3, past: 2, frames: 3),
        Shape(name: "3×3 of every second pixel", stride: 2),
        Shape(name: "3×3 of doubled pixels", doubles: true), Shape(name: "1×1 to many", size: 1, channels: 64, outputs: 200),
        Shape(name: "3×1 over time, every second frame", size: 1, depth: 3, timeStride: 2, past: 2, frames: 5),
        Shape(name: "along a line, 7 taps 3 apart", size: 7, dilation: 3),
        Shape(name: "along a line, 11 taps", size: 11, channels: 24, outputs: 24, dilation: 1),
    ]

    var convolutionCases: [KernelCase] {
        Self.shapes.flatMap { shape in
            [false, true].filter { !$0 || variant.canRound }.map { rounds in
                makeCase("convolution\(rounds ? " in bf16" : "")", shape.name) { try convolve(shape, rounds: rounds, isSpoilt: $0) }
            }
        }
    }

    private func convolve(_ shape: Shape, rounds: Bool, isSpoilt: Bool) throws -> KernelCase.Outcome {
        let isLine = shape.dilation > 0
        let (width, height) = isLine ? (70, 1) : (13, 11), padding = shape.size / 2, scale = shape.doubles ? 2 : 1,
            taps = shape.size * (isLine ? 1 : shape.size) * shape.depth
        let (outWidth, outHeight) = ((width * scale - 1) / shape.stride + 1, (height * scale - 1) / shape.stride + 1)
        let before = shape.depth - 1, outFrames = (shape.frames + before - shape.depth) / shape.timeStride + 1
        let x = Self.numbers(shape.frames * height * width * shape.channels, seed: 31)
        let history = Self.numbers(max(shape.past, 1) * height * width * shape.channels, seed: 32)
        let kernel = Self.numbers(shape.outputs * shape.channels * taps, seed: 33), bias = Self.numbers(shape.outputs, seed: 34)
        let oldest: Int32 = shape.past > 0 ? 1 : 0
        var definition = ckr_convolution()
        (definition.channels, definition.width, definition.height, definition.frames) = (
            Int32(shape.channels), Int32(width), Int32(height), Int32(shape.frames)
        )
        (definition.out_channels, definition.out_width, definition.out_height, definition.out_frames) = (
            Int32(shape.outputs), Int32(outWidth), Int32(outHeight), Int32(outFrames)
        )
        (definition.size, definition.depth, definition.stride, definition.time_stride) = (
            Int32(shape.size), Int32(shape.depth), Int32(shape.stride), Int32(shape.timeStride)
        )
        (definition.padding, definition.before, definition.past, definition.oldest, definition.doubles) = (
            Int32(padding), Int32(before), Int32(shape.past), oldest, shape.doubles ? 1 : 0
        )
        (definition.dilation, definition.left) = (Int32(shape.dilation), Int32(padding * shape.dilation))
        var wanted = [Double](repeating: 0, count: outFrames * outHeight * outWidth * shape.outputs), sizes = wanted
        ckr_convolve(&definition, x, history, kernel, bias, &wanted, &sizes)

        var c = ct_convolution()
        (c.channels, c.width, c.height, c.frames) = (definition.channels, definition.width, definition.height, definition.frames)
        (c.out_channels, c.out_width, c.out_height) = (definition.out_channels, definition.out_width, definition.out_height)
        (c.size, c.depth, c.stride, c.time_stride) = (definition.size, definition.depth, definition.stride, definition.time_stride)
        (c.padding, c.before, c.past, c.oldest, c.doubles) = (
            definition.padding, definition.before, definition.past, oldest, definition.doubles
        )
        (c.dilation, c.left, c.rounds) = (definition.dilation, definition.left, rounds ? 1 : 0)
        let bytes = rounds ? 2 : 4, group = rounds ? 2 : 1
        let panelWidth = Int(ct_panel_width(variant.number, c.out_channels, c.rounds))
        let inputs = Int(ct_packed_inputs(variant.number, c.channels, Int32(group)))
        var panels = [Float](repeating: 0, count: (shape.outputs + panelWidth - 1) / panelWidth * panelWidth * taps * inputs * bytes / 4)
        var found = [Float](repeating: 0, count: wanted.count)
        let rows = Int32(outFrames * outHeight)
        func run(_ x: UnsafeRawPointer?, _ history: UnsafeRawPointer?, _ kernel: UnsafeRawPointer?) {
            ct_pack_kernel(variant.number, kernel, c.out_channels, c.channels, Int32(taps), Int32(group), Int32(bytes), &panels)
            for part in 0..<Self.parts {
                ct_convolve(variant.number, &c, x, shape.past > 0 ? history : nil, panels, bias, &found, 0, rows, part, Self.parts)
            }
        }
        if rounds {
            Self.halves(x).withUnsafeBytes { x in
                Self.halves(history).withUnsafeBytes { history in
                    Self.halves(kernel).withUnsafeBytes { run(x.baseAddress, history.baseAddress, $0.baseAddress) }
                }
            }
        } else {
            run(x, history, kernel)
        }
        return Self.judge(found, wanted, sizes: sizes, share: ProductReference.roundingOfSums, isSpoilt: isSpoilt)
    }
}
