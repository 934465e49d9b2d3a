"""What a provider's total says of a response's parts."""


def output_within(total: object, input_tokens: int, output_tokens: int) -> int:
    """Return the output, at most what the provider's own total leaves beside the input.

    Some backends tell reasoning inside the answer's count and beside it: added up, it would count twice. A total that
    is no count, or less than the input alone, says nothing.
    """
    if type(total) is not int or total < input_tokens:
        return output_tokens
    return min(output_tokens, total - input_tokens)
