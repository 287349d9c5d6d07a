import OmniTensor

extension TensorMap {
    /// Queries, keys and values that are one tensor in the checkpoint, as three.
    func thirds(_ entry: WeightEntry, name: String, target: String, _ names: [String]) throws(ConversionError) -> [TensorPlan] {
        let isVector = entry.shape.count == 1, length = entry.sliceCount
        guard entry.shape.count <= 2, length % names.count == 0 else {
            throw damaged("Its tensor \(entry.name) has the shape \(entry.shape), which is no \(names.count) parts of equal size.")
        }
        let part = length / names.count
        return names.enumerated().map { place, own in
            let (name, rows) = (name.replacing(target, with: own), place * part..<(place + 1) * part)
            return TensorPlan(
                name: name, shape: isVector ? [part] : [entry.shape[0], part],
                type: TensorRule.isFull(name, axes: entry.shape.count) ? .f32 : type,
                content: .weights([.init(entry: entry, rows: rows)], order: .asIs, plus: 0))
        }
    }

    /// The convolution of patches, which spans two frames, as one for each of them: `[width, height, colours, channels]`.
    func frames(_ entry: WeightEntry, name: String) throws(ConversionError) -> [TensorPlan] {
        let axes = entry.axes
        guard axes.count == 5, axes[2] == 2 else {
            throw damaged("Its tensor \(entry.name) has the shape \(axes), and is no convolution over two frames.")
        }
        return (0..<2).map { frame in
            TensorPlan(
                name: frame == 0 ? name : "\(name).1", shape: [axes[0], axes[1], axes[3], axes[4]], type: type == .f16 ? .f16 : .f32,
                content: .weights(
                    [.init(entry: entry, rows: 0..<entry.sliceCount)], order: .frame(frame, height: axes[1]), plus: 0))
        }
    }
}
