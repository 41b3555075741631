"""Headless training and evaluation."""
