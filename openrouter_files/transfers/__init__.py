"""Operations that take more than one request."""
