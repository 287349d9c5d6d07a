import Foundation
import OmniTensor

/// Where an activation's parameters lie among those of all.
struct SnakePlace: Sendable {
    fileprivate let start, channels: Int
    /// Positions to either side that it sees.
    static let reach = 6
    private static let filter = SnakeFilter()

    func callAsFunction(_ graph: Graph, _ x: Tensor, _ parameters: Tensor, type: ElementType) throws -> Tensor {
        func part(_ index: Int) throws -> Tensor {
            let first = start + index * channels
            return try graph.slice(parameters, axis: 0, first..<first + channels)
        }
        return try graph.snake(x, frequency: part(0), magnitude: part(1), filter: Self.filter, type: type)
    }
}

/// Parameters of activations as they are used: the files have logarithms.
struct SnakeParameters {
    private(set) var values: [Float] = []

    mutating func add(_ weights: Weights, channels: Int) throws -> SnakePlace {
        let place = SnakePlace(start: values.count, channels: channels)
        for parameter in ["alpha", "beta"] {
            let name = weights.prefix + "act." + parameter
            guard let logarithms = weights.store.values(name) else { throw TensorError.missing(tensor: name, among: weights.store.source) }
            values += logarithms.map { parameter == "alpha" ? exp($0) : 1 / (exp($0) + 1e-9) }
        }
        return place
    }
}

/// A residual block: activation, convolution with a dilation, activation, convolution, three times (transformers' `AMPBlock`).
struct VocoderBlock: Sendable {
    private let layers: [(SnakePlace, LineConvolution)]

    init(_ weights: Weights, channels: Int, taps: Int, dilations: [Int], _ places: inout SnakeParameters) throws {
        layers = try dilations.enumerated().flatMap { layer, dilation in
            try [
                (
                    places.add(weights.at("activations.\(2 * layer)"), channels: channels),
                    LineConvolution(weights.at("convs1.\(layer)"), channels, channels, taps: taps, dilation: dilation)
                ),
                (
                    places.add(weights.at("activations.\(2 * layer + 1)"), channels: channels),
                    LineConvolution(weights.at("convs2.\(layer)"), channels, channels, taps: taps)
                ),
            ]
        }
    }

    func callAsFunction(_ graph: Graph, _ x: Tensor, _ parameters: Tensor) throws -> Tensor {
        var (x, inner) = (x, x)
        for (place, (activation, convolution)) in layers.enumerated() {
            inner = try convolution(graph, activation(graph, inner, parameters, type: convolution.inputType(graph)))
            guard place % 2 == 1 else { continue }
            x = try graph.add(x, inner)
            inner = x
        }
        return x
    }
}
